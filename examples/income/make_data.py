#!/usr/bin/env python3
"""Writes invented applications with the columns of contracts/applicants.yaml: make_data.py OUT [ROWS]"""
import csv, random, sys

rnd = random.Random(20261122)
out, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6000
FIRST, LAST = ["Ana", "Bo", "Carla", "Dev", "Eve", "Femi", "Gil", "Hana"], ["Ito", "Jones", "Khan", "Lopez", "Moreau", "Novak"]
HEADER = ("applicant_id full_name email phone ssn address signup_ip applied_on note age workclass fnlwgt education education_num "
          "marital_status occupation relationship race sex capital_gain capital_loss hours_per_week native_country income").split()
EDUCATION = ["10th", "HS-grad", "Some-college", "Bachelors", "Masters", "Doctorate"]
with open(out, "w", newline="", encoding="utf-8") as f:
    w = csv.writer(f)
    w.writerow(HEADER)
    for i in range(rows):
        name = f"{rnd.choice(FIRST)} {rnd.choice(LAST)}{i}"
        email = name.lower().replace(" ", ".") + "@example.com"
        phone = f"+1 555 {rnd.randrange(100, 999)} {rnd.randrange(1000, 9999)}"
        ssn = f"{rnd.randrange(100, 600)}-{rnd.randrange(10, 99)}-{rnd.randrange(1000, 9999)}"
        ip = ".".join(str(rnd.randrange(11, 250)) for _ in range(4))
        level, age, hours, sex = rnd.randrange(6), rnd.randrange(18, 80), rnd.randrange(10, 70), rnd.choice(["Female", "Male"])
        gain = rnd.choice([0] * 9 + [rnd.randrange(1000, 20000)])
        score = 0.8 * level + 0.03 * age + 0.03 * hours + gain / 4000 + rnd.gauss(0, 1.2)
        note = rnd.choice([""] * 3 + [f"Please write to {email}.", f"Call {phone} after six."])
        w.writerow([f"P{i:06d}", name, email, phone, ssn, f"{rnd.randrange(1, 99)} {rnd.choice(LAST)} Street, Springfield", ip,
                    f"2026-{1 + i * 9 // rows:02d}-{1 + rnd.randrange(28):02d}", note, age, rnd.choice(["Private", "State-gov", "?"]),
                    rnd.randrange(20000, 400000), EDUCATION[level], 6 + level * 2, rnd.choice(["Divorced", "Married-civ-spouse", "Never-married"]),
                    rnd.choice(["Sales", "Craft-repair", "Exec-managerial"]), rnd.choice(["Husband", "Wife", "Not-in-family"]),
                    rnd.choice(["White", "Black", "Other"]), sex, gain, 0, hours, rnd.choice(["United-States", "Canada"]),
                    ">50K" if score > 6.2 else "<=50K"])
print(rows, "applications in", out)
