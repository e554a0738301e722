"""What is done with a store apart from serving it: repair, verification, copies."""
