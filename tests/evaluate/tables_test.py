"""Tables that say no more than was measured."""

import csv
import fractions
import io

from absl.testing import absltest, parameterized

from mspd_jax.evaluate import csv_table, interval, markdown_table, percent

ROWS = [
    {"run": "a|b", "robust %": "57.8", "n": 512, "note": "two\nlines"},
    {"run": "c", "robust %": None, "n": 7, "loss": 0.123456},
]


class TablesTest(parameterized.TestCase):
    def test_percent_is_the_exact_fraction_cut(self):
        for count in (1, 3, 7, 100, 450, 512, 1017):
            for successes in range(count + 1):
                told = percent(successes / count, count)
                exact = fractions.Fraction(successes * 100, count)
                self.assertEqual(told, percent(successes / count))
                self.assertLessEqual(fractions.Fraction(told), exact)
                self.assertLess(
                    exact - fractions.Fraction(told), fractions.Fraction(1, 10)
                )

    @parameterized.parameters(
        (0.99996, None, "99.9"),
        (1.0, 512, "100.0"),
        (0.57, 100, "57.0"),
        (0.29, 100, "29.0"),
        (0.0, 3, "0.0"),
        (2 / 3, 3, "66.6"),
        (None, 5, "–"),
        (float("nan"), None, "nan"),
        (0.5, 0, "50.0"),
    )
    def test_percent_in_print(self, share, count, told):
        self.assertEqual(percent(share, count), told)

    def test_interval_is_rounded_outwards(self):
        told = interval(0.5781, (0.53499, 0.62001))
        self.assertEqual(told, "57.8 (53.4 to 62.1)")
        self.assertEqual(interval(1.0, (0.99, 1.0), 10), "100.0 (99.0 to 100.0)")
        self.assertEqual(interval(0.5, None, 2), "50.0")
        self.assertEqual(interval(None, None), "–")

    def test_markdown(self):
        columns = ["run", "robust %", "n", "note", "loss"]
        self.assertEqual(
            markdown_table(ROWS, columns),
            "| run | robust % | n | note | loss |\n"
            "| :-- | --: | --: | :-- | --: |\n"
            "| a\\|b | 57.8 | 512 | two lines | – |\n"
            "| c | – | 7 | – | 0.1235 |\n",
        )
        self.assertEqual(markdown_table([], ["a"]), "| a |\n| :-- |\n")

    def test_csv_gives_back_every_value_in_full(self):
        text = csv_table(ROWS, ["run", "loss", "note", "n"])
        back = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([row["run"] for row in back], ["a|b", "c"])
        self.assertEqual([row["note"] for row in back], ["two\nlines", ""])
        self.assertEqual([row["loss"] for row in back], ["", "0.123456"])
        third = csv_table([{"x": 1 / 3}], ["x"]).splitlines()[1]
        self.assertEqual(float(third), 1 / 3)


if __name__ == "__main__":
    absltest.main()
