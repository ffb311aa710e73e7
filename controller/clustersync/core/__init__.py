"""The pure core: values and decisions. No I/O, no clock, no asyncio; everything here is a function of its arguments."""
