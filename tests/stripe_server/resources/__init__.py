"""What the server answers, by resource. Each function is marked with the operation of the package that it answers."""
