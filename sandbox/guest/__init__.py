"""guest: what runs inside the container. Standard library only; it knows nothing of the rest of the house."""
