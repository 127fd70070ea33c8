"""Jinja2 templates of the alert mails: one HTML and one text part for each kind, nothing but Chinese and numbers."""
