"""Lists of attacks for an attacker who knows the defense."""

from absl.testing import parameterized

from mspd_jax.attacks import View, adaptive_attacks, plan_attacks, split_view
from mspd_jax.errors import InputError

VIEWS = ("bpda", "static")


def adapted(names, *, views=VIEWS, claim="static", norm="linf", **options):
    text = adaptive_attacks(names, norm=norm, views=views, claim=claim, **options)
    return text.split(",")


class AdaptiveTest(parameterized.TestCase):
    def test_claimed_through_the_defense(self):
        got = adapted("pgd-20,fgsm", claim="")
        want = [
            "pgd-20",
            "fgsm",
            "bpda:pgd-20",
            "bpda:fgsm",
            "static:pgd-20",
            "static:fgsm",
            "square-1000",
        ]
        self.assertEqual(got, want)

    def test_claimed_without_the_defense(self):
        got = adapted("pgd-20")
        self.assertEqual(got, ["static:pgd-20", "pgd-20", "bpda:pgd-20", "square-1000"])

    def test_scores_come_last_and_once(self):
        got = adapted("square-300,pgd", transfers=True)
        want = [
            "static:square-300",
            "static:pgd",
            "pgd",
            "bpda:pgd",
            "square-300",
            "transfer:pgd",
        ]
        self.assertEqual(got, want)
        got = adapted("square-300,pgd", claim="", transfers=True)
        want = ["pgd", "bpda:pgd", "static:pgd", "square-300", "transfer:pgd"]
        self.assertEqual(got, want)
        # Only on the model without its defense: not asked of the model that is judged.
        self.assertIn("square-1000", adapted("pgd,static:square"))

    @parameterized.parameters("linf", "l2", "l1")
    def test_suites(self, norm):
        got = adapted("autoattack", norm=norm)
        self.assertEqual(got, ["static:autoattack", "autoattack", "bpda:autoattack"])
        every = (*VIEWS, "eot")
        self.assertIn("eot:autoattack", adapted("autoattack", views=every))
        # It averages draws by itself, and asks for no scores.
        got = adapted("autoattack-rand", views=every)
        self.assertNotIn("eot:autoattack-rand", got)
        self.assertIn("eot:square-100", got)

    def test_scores_of_a_randomized_model_are_averaged(self):
        every = (*VIEWS, "eot")
        got = adapted("pgd", views=every)
        self.assertEqual(got[-1], "eot:square-100")
        self.assertNotIn("square-1000", got)
        got = adapted("pgd,square-50", views=every)
        self.assertIn("eot:square-50", got)
        self.assertNotIn("square-50", got)

    def test_what_names_a_view_stays_as_it_is(self):
        got = adapted("bpda:pgd-5,pgd,static:fgsm")
        want = [
            "static:pgd",
            "static:fgsm",
            "bpda:pgd-5",
            "pgd",
            "bpda:pgd",
            "square-1000",
        ]
        self.assertEqual(got, want)
        self.assertEqual(adapted("pgd,bpda:pgd").count("bpda:pgd"), 1)
        self.assertEqual(adapted("pgd, pgd"), adapted("pgd"))

    def test_none_stays(self):
        self.assertEqual(adapted("none"), ["none"])

    def test_the_claim_comes_first_whatever_was_named(self):
        for claim in ("", *VIEWS):
            got = adapted("bpda:fgsm,square,pgd,static:bim,spsa", claim=claim)
            firsts = [
                split_view(name)[0] == claim and (claim != "" or name == "pgd")
                for name in got
            ]
            self.assertTrue(firsts[0])
            self.assertEqual(firsts, sorted(firsts, reverse=True))
            self.assertLen(set(got), len(got))

    def test_every_list_can_be_planned(self):
        views = {
            name: View(abs, name not in ("static", "eot")) for name in (*VIEWS, "eot")
        }
        for names in ("pgd,autoattack-plus", "square", "autoattack-rand,mim-3"):
            for claim in ("", "static"):
                text = ",".join(adapted(names, views=views, claim=claim))
                plan = plan_attacks(
                    text, eps=0.1, norm="linf", num_classes=10, views=views
                )
                self.assertEqual({s.view for s in plan.values()} - {*views, ""}, set())

    def test_refusals(self):
        with self.assertRaisesRegex(InputError, "unknown attack 'pdg'"):
            adapted("pdg")
        with self.assertRaisesRegex(ValueError, "claim must be '' or one of .*'eot'"):
            adapted("pgd", claim="eot")
