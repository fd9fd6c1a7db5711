"""DL/T 698.45-2017: master station to terminals and meters, object by object."""
