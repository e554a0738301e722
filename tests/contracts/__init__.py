"""Contracts: one class of tests for each interface, run over every implementation."""


class Contract:
    """The base of contracts.

    A subclass supplies fixtures and may add tests; it may not replace any.
    """

    def __init_subclass__(cls):
        super().__init_subclass__()
        for name in vars(cls):
            if name.startswith('test_') and any(hasattr(base, name) for base in cls.__bases__):
                raise TypeError('%s silences %s' % (cls.__name__, name))
