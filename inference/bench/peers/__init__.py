"""The contestants: a module each that is run as a process, and the modules that install peers."""
