#!/usr/bin/env python3
"""Writes invented reviews with the columns of contracts/reviews.yaml: make_data.py OUT [ROWS]"""
import csv, random, sys

rnd = random.Random(20261122)
out, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3000
GOOD, BAD = ["great", "excellent", "lovely", "works well"], ["poor", "broken", "awful", "a waste of money"]
with open(out, "w", newline="", encoding="utf-8") as f:
    w = csv.writer(f)
    w.writerow("review_id customer_id site posted_on text positive".split())
    for i in range(rows):
        positive = rnd.randrange(2)
        text = f"The thing is {rnd.choice(GOOD if positive else BAD)}, {rnd.choice(['I use it daily', 'my brother has it too', 'as expected'])}."
        text += rnd.choice(["", "", f" Write to me at user{i}@example.com.", f" Call +1 555 {rnd.randrange(100, 999)} {rnd.randrange(1000, 9999)}."])
        w.writerow([f"R{i:05d}", f"P{rnd.randrange(9000):06d}", rnd.choice(["amazon_cells", "imdb", "yelp"]),
                    f"2026-{1 + i * 9 // rows:02d}-{1 + rnd.randrange(28):02d}", text, positive])
print(rows, "reviews in", out)
