"""A fleet of simulated servers: they speak the agents' real protocol over HTTP, and say that they are simulated."""
