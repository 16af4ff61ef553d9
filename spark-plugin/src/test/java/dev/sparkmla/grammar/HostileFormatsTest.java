package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Formats that would take much time, memory or stack end as the error of a format. */
class HostileFormatsTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        ".*a.{20}",
        "[ab]*a[ab]{40}",
        "a{1,1000000}",
        ".{1,1000000}",
        "a{999999999}",
        "(a{1,1000}){1,1000}",
        "(a?){10000}",
        "(){1000000}",
        "((((){100000}){100000}){100000}){100000}",
        "\\p{L}{1,1000}",
      })
  void patternsWithTooManyStates(String pattern) {
    assertTooComplex("regex: " + pattern);
  }

  @Test
  void longPatterns() {
    assertTooComplex("regex: " + "[\\p{L}\\p{N}]".repeat(7_000));
    assertTooComplex("regex: [" + "\\P{L}".repeat(19_000) + "]");
    assertTooComplex("regex: " + "(x*y*)*".repeat(10_000));
    assertThatThrownBy(
            () -> ResponseFormat.parse("regex: " + "a".repeat(100_001), WhiteSpace.COMPACT))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("the pattern has 100001 characters; at most 100000");
  }

  @Test
  void manyChoices() {
    Random random = new Random(1);
    StringJoiner choices = new StringJoiner(",", "choice: [", "]");
    for (int i = 0; i < 70_000; i++) {
      choices.add("\"" + Long.toString(random.nextLong() >>> 16, 36) + "\"");
    }

    assertTooComplex(choices.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"regex: ", "choice: ", "choice: [", "x"})
  void longTexts(String beginning) {
    assertThatThrownBy(
            () -> ResponseFormat.parse(beginning + "a".repeat(10_000_000), WhiteSpace.COMPACT))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("characters; at most 1048576");
  }

  @Test
  void deepChoices() {
    assertThatThrownBy(
            () -> ResponseFormat.parse("choice: " + "[".repeat(1_000_000), WhiteSpace.COMPACT))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("nesting depth");
  }

  @Test
  void ambiguousPatternsThatAreSimpleAreNoTrouble() {
    for (String pattern : new String[] {"(a|aa)*b", "((a*)*)*b", "(a|a?)+b", "(.*a){30}b"}) {
      assertThat(Answers.accepts(Answers.automaton("regex: " + pattern), "a".repeat(1_000) + "b"))
          .isTrue();
    }
  }

  private static void assertTooComplex(String format) {
    assertThatThrownBy(() -> ResponseFormat.parse(format, WhiteSpace.COMPACT))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("too complex");
  }
}
