"""How deliveries, Redis's work, memory and connections grow with pods, and what that means for many."""
