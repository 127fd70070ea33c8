"""Yihu station."""
