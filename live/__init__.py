"""Sessions on a moving market: paper and live, their journal, recovery and proof.

It joins a venue, the guard and the strategies on one thread and writes down what they consumed
and did. It knows no venue's wire and no web page.
"""
