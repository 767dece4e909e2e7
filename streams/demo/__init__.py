"""The demo: real loans, three originators, a few hundred investors, over HTTP through the gateway."""
