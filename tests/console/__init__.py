"""The console in a real browser, against real pods and a real worker."""
