"""LookupJobs for DAWs over Open Sound Control: "which passage of my library feels like this one?"

    wire.py           OSC packets → messages, and messages → packets that every peer can read
    framing.py        packets in a TCP stream, in both customary ways
    requests.py       messages → requests, checked
    replies.py        what goes back, each at most 1,024 bytes
    peers.py          who asks, and where the answers go
    uploads.py        sound that arrives in blocks
    lookups.py        a request → matches, by the core's use case
    db_threads.py     threads that work with the database
    dispatcher.py     what each request sets off
    jobs.py           lookups in flight: acknowledged, answered, replaced, cancelled
    subscriptions.py  subscribers and what is new in the library
    server.py         the sockets
    discovery.py      zeroconf and OSCQuery, where wanted
    cli.py            `mess osc`

docs/osc.md describes the addresses.
"""
