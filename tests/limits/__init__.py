"""What one principal may take, over all pods."""
