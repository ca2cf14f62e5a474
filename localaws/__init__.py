"""An embedded AWS: moto's WSGI application behind our dispatcher, plus what moto lacks.

It is an endpoint, nothing more: it imports no project code and no project code imports it
(the `dr local` commands and the tests excepted).
"""
