"""The hypertension guideline of an invented clinic, as one HTML page without scripts or outside files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.invented import CLINIC

__all__ = ["write"]

_STYLE: Final = """
  body { max-width: 46rem; margin: 2.5rem auto; padding: 0 1.2rem; color: #1d232a;
         font: 1.02rem/1.55 Georgia, "Times New Roman", serif; }
  h1, h2 { color: #14524f; font-family: Helvetica, Arial, sans-serif; line-height: 1.25; }
  h2 { margin-top: 2rem; border-bottom: 1px solid #c4d3d2; padding-bottom: .2rem; }
  table { border-collapse: collapse; width: 100%; font: .92rem/1.4 Helvetica, Arial, sans-serif; }
  th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #c4d3d2; }
  .notice { border-left: 4px solid #b4552d; background: #fbf3ee; padding: .7rem 1rem; }
  .about { color: #5d6873; font-size: .92rem; }
"""

_BODY: Final = f"""
<h1>Managing high blood pressure in adults</h1>
<p class="about">{CLINIC}. Clinical guideline BFC-CG-014, version 3.1. Approved by the Clinical Governance Group on
12 January 2026. Next review: January 2028. Owner: Dr Anneliese Corwin, lead physician.</p>

<p class="notice"><strong>Invented example, not medical advice.</strong> The clinic, the people and this guideline
do not exist. The page was written to show how documents are searched. Do not use it to care for anyone.</p>

<h2>1. Scope</h2>
<p>This guideline is for adults aged 18 and over who are seen at the clinic. It does not cover pregnancy, children,
or secondary hypertension under the care of a specialist. Women who are pregnant, or who plan to be, are referred
to the obstetric team within 2 working days.</p>

<h2>2. Measuring blood pressure</h2>
<p>The patient sits for 5 minutes with the arm supported at the level of the heart and a cuff of the right size.
Measure in both arms at the first visit; if the readings differ by more than 15 mmHg, use the arm with the higher
reading from then on. Take at least two readings, 1 to 2 minutes apart, and record the lower of the last two.</p>
<p>If the pulse is irregular, measure by hand over the brachial artery, because automatic devices may be wrong.</p>

<h2>3. Diagnosis</h2>
<p>If the clinic reading is 140/90 mmHg or higher, offer ambulatory monitoring to confirm the diagnosis. Where that
is not tolerated, use home readings: two readings twice a day for 7 days, leaving out the first day.</p>
<table>
<thead><tr><th>Grade</th><th>Clinic reading</th><th>Ambulatory or home average</th><th>Action</th></tr></thead>
<tbody>
<tr><td>Normal</td><td>below 140/90 mmHg</td><td>below 135/85 mmHg</td><td>Measure again within 5 years, each year
if near the limit</td></tr>
<tr><td>Stage 1</td><td>140/90 to 159/99 mmHg</td><td>135/85 to 149/94 mmHg</td><td>Lifestyle; medicine if the risk
is raised (section 5)</td></tr>
<tr><td>Stage 2</td><td>160/100 to 179/119 mmHg</td><td>150/95 mmHg or higher</td><td>Lifestyle and
medicine</td></tr>
<tr><td>Severe</td><td>180/120 mmHg or higher</td><td>not needed first</td><td>Assess on the same day (section
8)</td></tr>
</tbody>
</table>
<p>At diagnosis, check: serum creatinine with estimated GFR, sodium and potassium, HbA1c, total and HDL
cholesterol, urine albumin-to-creatinine ratio, urine for blood, an electrocardiogram, and the fundi.</p>

<h2>4. Lifestyle</h2>
<ul>
<li>Salt: less than 6 g a day. Potassium salt substitutes are not advised in kidney disease, or with an ACE
inhibitor or an angiotensin receptor blocker.</li>
<li>Alcohol: no more than 14 units a week, spread over three days or more.</li>
<li>Activity: at least 150 minutes of moderate activity a week.</li>
<li>Smoking: offer referral to the stop-smoking service at each visit.</li>
</ul>

<h2>5. Starting medicine</h2>
<p>Offer medicine to adults with stage 2 hypertension at any age. In stage 1, discuss medicine if the patient is
under 80 and has any of: target organ damage, cardiovascular disease, kidney disease, diabetes, or a 10-year
cardiovascular risk of 10% or more.</p>
<table>
<thead><tr><th>Step</th><th>Diabetes, or under 55 and not of African or Caribbean origin</th><th>55 or over, or of
African or Caribbean origin, without diabetes</th></tr></thead>
<tbody>
<tr><td>1</td><td>ACE inhibitor or angiotensin receptor blocker</td><td>Calcium channel blocker</td></tr>
<tr><td>2</td><td>Add a calcium channel blocker or a thiazide-like diuretic</td><td>Add an ACE inhibitor, an
angiotensin receptor blocker or a thiazide-like diuretic</td></tr>
<tr><td>3</td><td colspan="2">ACE inhibitor or angiotensin receptor blocker, with a calcium channel blocker and a
thiazide-like diuretic</td></tr>
<tr><td>4</td><td colspan="2">Confirm that the medicine is taken and the reading is true; then ask for specialist
advice</td></tr>
</tbody>
</table>
<p>The usual starting dose of amlodipine is 5 mg once a day, to a maximum of 10 mg once a day. The usual starting
dose of losartan is 50 mg once a day, to a maximum of 100 mg once a day; start with 25 mg over the age of 75.</p>
<p>Never combine an ACE inhibitor with an angiotensin receptor blocker. Neither may be given in pregnancy. If an
ACE inhibitor causes a dry cough, change to an angiotensin receptor blocker.</p>

<h2>6. Monitoring</h2>
<p>Check serum creatinine and potassium before an ACE inhibitor or an angiotensin receptor blocker is started, and
again 1 to 2 weeks after starting and after each increase of the dose.</p>
<ul>
<li>Do not start either if potassium is above 5.0 mmol/L.</li>
<li>Stop it if potassium is 6.0 mmol/L or higher, and repeat the test on the same day.</li>
<li>Accept a fall of the estimated GFR of up to 25%, or a rise of creatinine of up to 30%. If the change is
greater, look for another cause and reduce or stop the dose.</li>
</ul>
<p>Review the patient every 4 weeks until the target is met, and then once a year.</p>

<h2>7. Targets</h2>
<table>
<thead><tr><th>Patient</th><th>Clinic target</th><th>Home target</th></tr></thead>
<tbody>
<tr><td>Under 80</td><td>below 140/90 mmHg</td><td>below 135/85 mmHg</td></tr>
<tr><td>80 or over</td><td>below 150/90 mmHg</td><td>below 145/85 mmHg</td></tr>
<tr><td>Kidney disease with an albumin-to-creatinine ratio of 70 mg/mmol or more</td><td>below 130/80
mmHg</td><td>set by the physician</td></tr>
</tbody>
</table>
<p>In frail patients, and in those who fall or feel faint on standing, measure standing pressure too, and agree the
target with the patient.</p>

<h2>8. When to refer on the same day</h2>
<p>Refer to hospital on the same day if the clinic reading is 180/120 mmHg or higher and there is any of: retinal
haemorrhage or papilloedema, new confusion, chest pain, signs of heart failure, or acute kidney injury. If there is
none of these, repeat the reading within 7 days and start tests for organ damage at once.</p>
<p>Patients with suspected phaeochromocytoma are also referred on the same day.</p>

<h2>9. Records and audit</h2>
<p>Record the reading, the arm, the device and the next review date at each visit. The practice manager, Ruth
Ellery, audits 40 records each quarter. The standard is that 90% of patients have had a review in the last 12
months.</p>
"""


def write(path: Path) -> None:
    """Write the guideline."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Managing high blood pressure in adults: {CLINIC}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>{_BODY}</body>\n</html>\n"
    )
    path.write_text(page, encoding="utf-8", newline="\n")
