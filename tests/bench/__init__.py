"""The performance bench: real control planes, the controller as its own process, and a bare writer in the same run as the limit.

`python -m tests.bench --quick`. It prints figures and asserts no time.
"""
