"""The Vouch service: questions in, checked and recorded answers out."""
