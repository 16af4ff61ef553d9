package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.text.LinearPattern.Unproved;
import dev.sparkmla.text.LinearPattern.Work;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinearPatternTest {
  private static final String LETTERS_THEN_LOWER =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}]*[\\p{Ll}\\p{M}]+(?i:'s|'ll)?";
  private static final String LETTERS_AFTER_UPPER =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}]+[\\p{Ll}\\p{M}]*(?i:'s|'ll)?";

  /** The forms of the published tokenizers of this family. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "[\\r\\n]",
        "\\s?\\p{L}+",
        "\\s?[!-/:-~]+",
        "[\u4e00-\u9fa5\u0800-\u4e00]+",
        "\\p{N}{1,3}",
        "\\p{N}| ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "'(?i:[sdmt]|ll)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r"
            + "\\n"
            + "\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
        LETTERS_THEN_LOWER + "|" + LETTERS_AFTER_UPPER,
        "[\\p{Han}]+|[\\p{Lu}&&[^\\p{Han}]]+"
      })
  void publishedFormsAreLinear(String pattern) throws Unproved {
    assertThat(LinearPattern.prove(pattern)).isEqualTo(Work.LINEAR);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\\s+$", "\\s*[\\r\\n]+", "\\p{L}+|\\s+(?!\\S)"})
  void whiteSpaceRepeatedInVainCostsTheSquareOfItsRuns(String pattern) throws Unproved {
    assertThat(LinearPattern.prove(pattern)).isEqualTo(Work.SQUARE_OF_WHITE_SPACE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(\\w+\\s?)+$",
        "(a+)+$",
        "(a|a)*b",
        "(?:a|aa)+$",
        "(?:a{2})*b",
        "a*a*b",
        ".*x",
        LETTERS_THEN_LOWER,
        "a{1,2}b{1,2}c",
        "a{17}",
        "a{,}b",
        "a**",
        "a{2}+",
        "(a)\\1",
        "(?<n>a)",
        "(?>a)",
        "(?i)a",
        "((a))",
        "\\X",
        "a|",
        "|a",
        "a*",
        "^",
        "(?=a)",
        "",
        "(",
        "(a",
        "a)",
        "[",
        "[a",
        "\\",
        "\\p",
        "\\p{",
        "*",
        "a{",
        "a{x}",
        "^*a"
      })
  void anythingElseIsNotProved(String pattern) {
    assertThatThrownBy(() -> LinearPattern.prove(pattern)).isInstanceOf(Unproved.class);
  }
}
