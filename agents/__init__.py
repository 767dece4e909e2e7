"""One folder a system: pure modules, and an agent.py that connects them to the Step."""
