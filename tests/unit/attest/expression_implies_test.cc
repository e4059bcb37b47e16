#include <gtest/gtest.h>

#include <random>

#include "attest/expression.h"

namespace keyclave::attest {
namespace {

Expression MustParse(const std::string& text) {
  const auto yaml = ParseYaml(text, "e");
  EXPECT_TRUE(yaml.ok()) << text;
  auto parsed = Expression::Parse(*yaml, Expression::Sets::kAllowed);
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().Text()) << "\n" << text;
  return *std::move(parsed);
}

bool Implies(const std::string& a, const std::string& b) {
  return MustParse(a).Implies(MustParse(b));
}

TEST(ExpressionImplies, SeesWhatPoliciesChange) {
  const struct {
    const char* stricter;
    const char* weaker;
  } cases[] = {{"{tee: {is: tdx}}", "{tee: {in: [tdx, sgx]}}"},
               {"{tee: {is: tdx}}", "{tee: {exists: true}}"},
               {"{svn: {min: 4}}", "{svn: {min: 3}}"},
               {"{svn: {max: 4}}", "{svn: {max: 5}}"},
               {"{svn: {is: 4}}", "{svn: {min: 3, max: 9}}"},
               {"{svn: {in: [4, 5]}}", "{svn: {min: 4}}"},
               {"{tcb_date: {after: 2026-02-01}}", "{tcb_date: {after: 2026-01-01}}"},
               {"{tcb_date: {before: 2026-01-01}}", "{tcb_date: {before: 2026-02-01}}"},
               {"{tcb_date: {is: 2026-01-01}}", "{tcb_date: {before: 2026-02-01}}"},
               {"{tls.san: {is: a.example}}", "{tls.san: {matches: \"*.example\"}}"},
               {"{product_id: {in: [web, api]}}", "{product_id: {matches: \"*\"}}"},
               {"{tee: {is: tdx}, svn: {min: 3}}", "{svn: {min: 3}}"},
               {"{svn: {min: 3}}", "{any: [{svn: {min: 3}}, {tee: {is: tdx}}]}"},
               {"{any: [{svn: {is: 3}}, {svn: {is: 4}}]}", "{svn: {min: 3}}"},
               {"{any: [{svn: {is: 3}}]}", "{any: [{svn: {is: 3}}, {svn: {is: 4}}]}"},
               {"{at-least: {n: 2, of: [{svn: {is: 3}}, {tee: {is: tdx}}, {signer: {is: aa}}]}}",
                "{at-least: {n: 1, of: [{svn: {is: 3}}, {tee: {is: tdx}}, {signer: {is: aa}}]}}"},
               {"{at-least: {n: 2, of: [{svn: {is: 3}}, {tee: {is: tdx}}]}}",
                "{at-least: {n: 2, of: [{svn: {min: 3}}, {tee: {is: tdx}}, {signer: {is: aa}}]}}"},
               {"{not: {tee: {in: [sgx, tdx]}}}", "{not: {tee: {is: sgx}}}"},
               {"{not: {any: [{tee: {is: sgx}}, {svn: {min: 3}}]}}", "{not: {tee: {is: sgx}}}"},
               {"{not: {svn: {min: 3}}}", "{not: {all: [{svn: {min: 3}}, {tee: {is: tdx}}]}}"},
               {"{tee: {is: tdx}}", "{not: {tee: {is: simulated}}}"},
               {"{svn: {is: 2}}", "{not: {svn: {min: 3}}}"}};
  for (const auto& one : cases) {
    EXPECT_TRUE(Implies(one.stricter, one.weaker)) << one.stricter << " -> " << one.weaker;
    EXPECT_FALSE(Implies(one.weaker, one.stricter)) << one.weaker << " -> " << one.stricter;
  }
  EXPECT_TRUE(Implies("{not: {debug: {is: true}}}", "{debug: {is: false}}"));
  EXPECT_TRUE(Implies("{debug: {is: false}}", "{not: {debug: {is: true}}}"));
}

// Of a list one element satisfies one term, and another one another.
TEST(ExpressionImplies, ListsExcludeNothing) {
  EXPECT_FALSE(Implies("{tls.san: {is: a.example}}", "{not: {tls.san: {is: b.example}}}"));
  EXPECT_FALSE(Implies("{not: {tls.san: {in: [a, b]}}}", "{not: {tls.san: {is: \"3\"}}}"));
}

TEST(ExpressionImplies, ASetImpliesItselfOnly) {
  EXPECT_TRUE(Implies("{measurement: {in-set: a}}", "{measurement: {in-set: a}}"));
  EXPECT_TRUE(Implies("{not: {measurement: {in-set: a}}}", "{not: {measurement: {in-set: a}}}"));
  EXPECT_TRUE(Implies("{measurement: {in-set: a}}", "{measurement: {exists: true}}"));
  EXPECT_FALSE(Implies("{measurement: {in-set: a}}", "{measurement: {in-set: b}}"));
  EXPECT_FALSE(Implies("{measurement: {is: aa}}", "{measurement: {in-set: b}}"));
}

TEST(ExpressionImplies, OtherClaimsAndTypesProveNothing) {
  EXPECT_FALSE(Implies("{measurement: {is: aa}}", "{signer: {is: aa}}"));
  EXPECT_FALSE(Implies("{token.vmpl: {is: 3}}", "{token.vmpl: {is: \"3\"}}"));
  EXPECT_FALSE(Implies("{token.vmpl: {in: [3, \"x\"]}}", "{token.vmpl: {min: 1}}"));
}

TEST(ExpressionImplies, NamesConjunctsAndSubjects) {
  const auto parts =
      MustParse("{tee: {is: tdx}, not: {svn: {is: 3}}, any: [{svn: {is: 1}}]}").Conjuncts();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].SubjectClaim(), "tee");
  EXPECT_EQ(parts[1].SubjectClaim(), "svn");
  EXPECT_EQ(parts[2].SubjectClaim(), "");
  EXPECT_EQ(MustParse("{tee: {is: tdx}}").Conjuncts().size(), 1U);
}

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::string Expression(int depth) {
    if (depth == 0 || Pick(3) == 0) return Term();
    switch (Pick(4)) {
      case 0: return "{all: " + List(depth) + "}";
      case 1: return "{any: " + List(depth) + "}";
      case 2: return "{not: " + Expression(depth - 1) + "}";
      default: return "{at-least: {n: 2, of: " + List(depth) + "}}";
    }
  }

  ClaimSet Claims() {
    ClaimSet claims;
    const auto text = [&](std::initializer_list<const char*> values) {
      return std::string(values.begin()[Pick(values.size())]);
    };
    if (Pick(5) != 0) claims.Set("tee", text({"sgx", "tdx", "simulated"}));
    if (Pick(5) != 0) claims.Set("svn", static_cast<int64_t>(Pick(5)));
    if (Pick(5) != 0) claims.Set("debug", Pick(2) == 0);
    if (Pick(5) != 0) claims.Set("tcb_date", text({"2026-01-01", "2026-01-02", "2026-01-03"}));
    std::vector<std::string> names;
    for (size_t i = Pick(3); i > 0; --i) names.push_back(text({"a.x", "b.x", "c.y"}));
    if (Pick(5) != 0) claims.Set("tls.san", names, Origin::kTransport);
    if (Pick(5) != 0) claims.Set("advisories", names);
    if (Pick(3) == 0) {
      claims.Set("token.x", static_cast<int64_t>(Pick(4)));
    } else if (Pick(3) == 0) {
      claims.Set("token.x", text({"1", "2", "a.x"}));
    } else if (Pick(3) == 0) {
      claims.Set("token.x", names);
    }
    return claims;
  }

  size_t Pick(size_t count) { return random_() % count; }

 private:
  std::string List(int depth) {
    std::string list = "[" + Expression(depth - 1) + ", " + Expression(depth - 1);
    if (Pick(2) == 0) list += ", " + Expression(depth - 1);
    return list + "]";
  }

  std::string Term() {
    const auto any_of = [&](std::initializer_list<const char*> values) {
      return std::string(values.begin()[Pick(values.size())]);
    };
    return any_of({"{tee: {is: sgx}}",
                   "{tee: {in: [sgx, tdx]}}",
                   "{tee: {is: tdx}}",
                   "{tee: {exists: true}}",
                   "{svn: {min: 1}}",
                   "{svn: {min: 3}}",
                   "{svn: {max: 2}}",
                   "{svn: {is: 3}}",
                   "{svn: {in: [0, 1, 2]}}",
                   "{debug: {is: true}}",
                   "{debug: {is: false}}",
                   "{tcb_date: {after: 2026-01-01}}",
                   "{tcb_date: {after: 2026-01-02}}",
                   "{tcb_date: {is: 2026-01-02}}",
                   "{tcb_date: {before: 2026-01-03}}",
                   "{tls.san: {is: a.x}}",
                   "{tls.san: {in: [a.x, b.x]}}",
                   "{tls.san: {matches: \"*.x\"}}",
                   "{advisories: {is: a.x}}",
                   "{advisories: {in: [a.x, b.x]}}",
                   "{advisories: {matches: \"*\"}}",
                   "{token.x: {is: 1}}",
                   "{token.x: {is: \"1\"}}",
                   "{token.x: {in: [1, \"a.x\"]}}",
                   "{token.x: {min: 1}}",
                   "{token.x: {matches: \"*\"}}",
                   "{token.x: {exists: true}}"});
  }

  std::mt19937 random_;
};

// What is proved holds for every caller. (The other way round nothing is promised.)
TEST(ExpressionImplies, NeverProvesWhatIsNotSo) {
  Maker maker(20261122);
  size_t proved = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string first = maker.Expression(2);
    const std::string second = maker.Pick(4) == 0
                                   ? "{any: [" + first + ", " + maker.Expression(1) + "]}"
                                   : maker.Expression(2);
    const Expression a = MustParse(first);
    const Expression b = MustParse(second);
    if (!a.Implies(b)) continue;
    ++proved;
    for (int j = 0; j < 40; ++j) {
      const ClaimSet claims = maker.Claims();
      ASSERT_TRUE(!a.Satisfied(claims, 0) || b.Satisfied(claims, 0)) << first << " -> " << second;
    }
  }
  EXPECT_GT(proved, 3'000U);
}

TEST(ExpressionImplies, EndsInTime) {
  std::string parts;
  for (int i = 0; i < 500; ++i)
    parts += "{at-least: {n: 1, of: [{svn: {is: 1}}, {svn: {is: 2}}]}}, ";
  const Expression big = MustParse("{at-least: {n: 300, of: [" + parts + "{tee: {is: tdx}}]}}");
  EXPECT_FALSE(big.Implies(MustParse("{at-least: {n: 400, of: [" + parts + "{tee: {is: sgx}}]}}")));
}

}  // namespace
}  // namespace keyclave::attest
