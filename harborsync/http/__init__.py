"""The cable: the only place that speaks HTTP.

wire.py          what is said: a call, an answer, a stream, a body
session.py       the transport: one call through all that follows
retries.py       tried again · pace.py what all workers on a host share
auth.py          logins · challenges.py · scopes.py · tokens.py · tokenserver.py
redirects.py     followed by hand
exchange.py      one request and its reply: thin.py for small ones, bulk.py for large bodies
lines.py         sockets: dial.py · addresses.py whom we connect to · proxies.py · tls.py
hosts.py         connections shared in a process · options.py an endpoint's options
answers.py       refusals as errors · links.py · notices.py · faults.py broken networks
metadata.py      a cloud machine's own service, which no registry may point us to
foreign.py       content that lies at any stranger's
"""
