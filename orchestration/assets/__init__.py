"""The asset graph, one module a station. A function here calls one entry point and describes what came of it."""
