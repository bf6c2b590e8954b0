"""Small consensus protocols, each with its own way around the impossibility of consensus."""
