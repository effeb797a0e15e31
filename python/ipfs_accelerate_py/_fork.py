"""What a forked child has anew: locks, which threads of its parent may have held, and of which nobody would let go any more."""
import os
import weakref

from . import _own

_things = weakref.WeakSet()


def renew(thing):
    """thing._renew() is called in each child that is forked while it lives."""
    _things.add(thing)


def _in_child():
    for thing in list(_things):
        thing._renew()


os.register_at_fork(after_in_child=_in_child)


_own(globals())
