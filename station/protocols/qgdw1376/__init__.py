"""Q/GDW 376.1-2009 and 1376.1-2013: master station to collection terminal."""
