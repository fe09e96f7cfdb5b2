"""OpenAI's chat route as every driver uses it: request bodies, whole answers, and streams of events."""
