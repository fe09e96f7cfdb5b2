"""The seam to inference servers: one protocol, one error family, and one folder for each driver.

`protocol.py` is what the coordinator calls, `errors.py` what it catches. `lorax/` and `openai/` are the drivers; what
only one of them needs is in its folder. `chat/` is OpenAI's chat route, which both speak; `transport/` is HTTP.
"""
