"""The ground floor: small things that every room may use, and that know no room."""
