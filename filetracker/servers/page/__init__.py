"""The pages for people: what is stored, who is busy, and the files, to be looked at in a browser.

They are plain HTML that needs no script and nothing from anywhere else.
"""
