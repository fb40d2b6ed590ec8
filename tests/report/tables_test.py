"""Tables that say no more than was measured."""

import csv
import fractions
import io

from absl.testing import absltest, parameterized

from mspd_jax.report import csv_table, markdown_table, percent

ROWS = [
    {"run": "a|b", "robust %": "57.8", "n": 512, "note": "two\nlines"},
    {"run": "c", "robust %": None, "n": 7, "loss": 0.123456},
]


class TablesTest(parameterized.TestCase):
    def test_percent_is_the_exact_fraction_cut(self):
        for count in (1, 3, 7, 100, 450, 512, 1017):
            for successes in range(count + 1):
                text = percent(successes / count, count)
                exact = fractions.Fraction(successes * 100, count)
                self.assertEqual(text, percent(successes / count))
                self.assertLessEqual(fractions.Fraction(text), exact)
                self.assertLess(
                    exact - fractions.Fraction(text), fractions.Fraction(1, 10)
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
    def test_percent_in_print(self, share, count, text):
        self.assertEqual(percent(share, count), text)

    def test_interval_is_rounded_outwards(self):
        text = percent(0.5781, interval=(0.53499, 0.62001))
        self.assertEqual(text, "57.8 (53.4 to 62.1)")
        self.assertEqual(
            percent(1.0, 10, interval=(0.99, 1.0)), "100.0 (99.0 to 100.0)"
        )
        self.assertEqual(percent(0.5, 2, interval=None), "50.0")
        self.assertEqual(percent(None, interval=None), "–")

    def test_markdown(self):
        columns = ["run", "robust %", "n", "note", "loss"]
        self.assertEqual(
            markdown_table(ROWS, columns),
            "| run | robust % | n | note | loss |\n"
            "| :-- | --: | --: | :-- | --: |\n"
            "| a\\|b | 57.8 | 512 | two lines | – |\n"
            "| c | – | 7 | – | 0.1235 |\n",
        )
        # Without columns those in which a row has a value, in the order of the keys.
        used = markdown_table([{"x": None, "y": None}, {"x": None, "y": 1}])
        self.assertEqual(used, "| y |\n| --: |\n| – |\n| 1 |\n")
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
