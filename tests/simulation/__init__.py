"""A cluster in one thread and in virtual time, in which a seed decides what happens when and what fails.

What runs is what is deployed: the whole worker (``stream.worker.app``), Faust and aiokafka's own clients. What is
simulated is outside of the process: the brokers behind a connection, the clock, the order in which event loops get
their turns, the disk, and the death of the process itself.

=============== =====================================================================================================
``loop``         event loops whose turns a seed deals, in virtual time
``log``          a broker's logs: append, read, compact
``group``        a broker's consumer group: join, sync, heartbeat, commit, with fencing by generation
``broker``       answers aiokafka's requests from the two above
``network``      connections that delay, break and lose
``disk``         a local store that keeps, loses or sets back what it had at a crash
``process``      one worker: started, killed, frozen, stopped
``inputs``       the events of a seed, the poison and what comes too late among them
``faults``       what goes wrong in a seed, and the counts of what did
``run``          one seed from its first event to its drained end
``check``        what must be true then
``mutations``    mistakes that a worker could have, each of which seeds must find
``seeds``        many of them, each in a process of its own
=============== =====================================================================================================

Not simulated: brokers that lose what they acknowledged; a record that is on its way for longer than half a session, or
is overtaken by its own repeat; RocksDB itself; the marketplace's rules, in whose place are the oracle's simple ones.
"""
