package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PatternReaderTest {
  private static ByteAutomaton whole(String pattern) {
    return Answers.automaton(PatternReader.whole(pattern, new Budget()), WhiteSpace.COMPACT);
  }

  private static ByteAutomaton search(String pattern) {
    return Answers.automaton(PatternReader.search(pattern, new Budget()), WhiteSpace.COMPACT);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "abc abc abcd",
        "a|bc bc abc",
        "(?:ab)+ abab aba",
        "(?<year>\\d{4})-\\d\\d 2024-05 24-05",
        "[a-c\\d-]* a-1-c d",
        "[^a-c]+ xyz xaz",
        "[\\]\\\\^]+ ]\\^ [",
        "a{2} aa aaa",
        "a{2,} aaaa a",
        "a{1,3}? aaa aaaa",
        "x{,2} x{,2} xx",
        "{a} {a} a",
        "a+?b*?c?? ab aabbcc",
        "\\x41\\u0042\\u{43} ABC abc",
        "\\ud83d\\ude00 😀 x",
        "[\\u{1F600}-\\u{1F64F}]ö. 😅öß 😅oß",
        "\\p{Lu}\\p{L}+ Ägypten ägypten",
        "\\P{N}+ drei 3",
        "[\\p{Nd}x]+ 3x٣ y",
        "^ab$ ab abb",
        "^a$|^b$ b ab",
        "(^a|b)c$ ac ab",
        "\\.\\/\\- ./- a/-",
        "[^] a ab",
      })
  void matchesTheWholeText(String pattern, String match, String other) {
    ByteAutomaton automaton = whole(pattern);

    assertThat(Answers.accepts(automaton, match)).isTrue();
    assertThat(Answers.accepts(automaton, other)).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "b abc xyz",
        "^b bc abc",
        "b$ ab ba",
        "^b$ b bb",
        "^a|b$ xb xax",
        "(^|,)b$ a,b ab",
        "(^a|b)c xbcx xac",
        "x(a$|,) yx,z yxaz",
        "(^a$|^b$) b ab",
        "^(?:ab)+ ababx xab",
        "(ab)+$ xab abx",
      })
  void searchesWhereNoAnchorStands(String pattern, String match, String other) {
    ByteAutomaton automaton = search(pattern);

    assertThat(Answers.accepts(automaton, match)).isTrue();
    assertThat(Answers.accepts(automaton, other)).isFalse();
  }

  @Test
  void anEmptyPatternIsEverywhere() {
    assertThat(Answers.accepts(search(""), "a\nb")).isTrue();
    assertThat(Answers.accepts(search("^"), "a\nb")).isTrue();
    assertThat(Answers.accepts(search("^$"), "a")).isFalse();
    assertThat(Answers.accepts(whole(""), "")).isTrue();
    assertThat(Answers.accepts(whole(""), "a")).isFalse();
  }

  @Test
  void classesAreThoseOfEcmaScript() {
    assertThat(Answers.accepts(whole("\\s+"), " \t\n\u00A0\u2003\uFEFF")).isTrue();
    assertThat(Answers.accepts(whole("\\w+"), "aZ_9")).isTrue();
    assertThat(Answers.accepts(whole("\\w"), "ä")).isFalse();
    assertThat(Answers.accepts(whole("."), "\u0085")).isTrue();
    for (String end : new String[] {"\n", "\r", "\u2028", "\u2029"}) {
      assertThat(Answers.accepts(whole("."), end)).isFalse();
    }
    assertThat(Answers.accepts(whole("[\\b\\0\\cJ]+"), "\b\0\n")).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "(a)\\1; the pattern has the back reference \\1, at character 3, which is not supported",
        "(?<n>a)\\k<n>; the back reference \\k, at character 7, which",
        "a(?=b); a lookahead, at character 1, which",
        "a(?!b); a lookahead, at character 1, which",
        "(?<=a)b; a lookbehind, at character 0, which",
        "\\bword; the word boundary \\b, at character 0, which",
        "\\p{Script=Greek}; the property Script=Greek",
        "(?i)a; a group of the kind '(?'",
        "a^b; the anchor ^ elsewhere",
        "a$b; the anchor $ elsewhere",
        "(^a)*; the anchor ^ elsewhere",
        "\\07; an octal escape",
        "\\q; the escape \\q",
        "(a; a group that is not closed, at character 0",
        "a); a ')' that closes no group, at character 1",
        "[a; a class of characters that is not closed, at character 0",
        "*a; a '*' that repeats nothing, at character 0",
        "a**; a quantifier that repeats nothing, at character 2",
        "{2}; a quantifier that repeats nothing",
        "a{3,2}; a quantifier whose largest number is below its least",
        "a{1234567890}; a repetition of 1234567890 times",
        "[z-a]; a range that ends before it begins, at character 1",
        "[\\d-z]; a range from or to a class",
        "a\\; a backslash at its end",
        "\\u12; a \\u without a character's number",
        "\\u{110000}; a \\u without a character's number",
        "\\ud800; half a surrogate pair",
        "\\pL; a \\p without a name in braces",
        "\\c1; a \\c without a letter",
      })
  void saysWhatIsNotSupportedAndWhere(String pattern, String message) {
    assertThatThrownBy(() -> PatternReader.whole(pattern, new Budget()))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(ints = {101, 5_000, 49_000})
  void limitsGroups(int depth) {
    String pattern = "(".repeat(depth) + "a" + ")".repeat(depth);

    assertThatThrownBy(() -> PatternReader.whole(pattern, new Budget()))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("groups nested more than 100 deep");
  }

  @Test
  void agreesWithJavaOnRandomPatterns() {
    for (long seed = 0; seed < 400; seed++) {
      Random random = new Random(seed);
      String pattern = RandomPatterns.pattern(random);
      ByteAutomaton whole = whole(pattern);
      ByteAutomaton search = search(pattern);
      Pattern java = Pattern.compile(pattern);
      for (int i = 0; i < 30; i++) {
        String text = RandomPatterns.text(random);
        String what = "seed " + seed + ": " + pattern + " on '" + text + "'";
        assertThat(Answers.accepts(whole, text)).as(what).isEqualTo(java.matcher(text).matches());
        assertThat(Answers.accepts(search, text)).as(what).isEqualTo(java.matcher(text).find());
      }
    }
  }
}
