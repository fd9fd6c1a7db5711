"""Q/GDW 376.1-2009 and 1376.1-2013: master station to collection terminal.

frame, parser                       bytes to frames and back
confirmation, link, forward         AFN00, AFN02, AFN10 F1: what a front-end lives on
requests                            what the station asks, which frame answers
formats, layout, lists, units       how values, data units and their identifications lie
functions                           every Fn; the lists stand in services, parameters, controls,
                                    class1, class2 and events
describe                            a frame as JSON
"""
