"""What parses or frames what others wrote, against inputs that nobody thought of."""
