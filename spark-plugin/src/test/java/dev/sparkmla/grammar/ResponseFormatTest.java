package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResponseFormatTest {
  @Test
  void regexMatchesTheWholeAnswer() {
    ByteAutomaton date = Answers.automaton("regex: \\d{4}-\\d{2}-\\d{2}");

    assertThat(Answers.accepts(date, "2024-05-31")).isTrue();
    assertThat(Answers.accepts(date, "2024-05-3")).isFalse();
    assertThat(Answers.walk(date, "2024-05-311")).isEqualTo(ByteAutomaton.DEAD);
    assertThat(Answers.walk(date, " ")).isEqualTo(ByteAutomaton.DEAD);
    assertThat(date.states()).isEqualTo(11);
    assertThat(date.classes()).isEqualTo(3);
  }

  @Test
  void choiceAllowsEachOfItsTexts() {
    ByteAutomaton choice =
        Answers.automaton("choice: [\"yes\", \"no\", \"yes, \\\"maybe\\\"\", \"né\"]");

    for (String text : new String[] {"yes", "no", "yes, \"maybe\"", "né"}) {
      assertThat(Answers.accepts(choice, text)).isTrue();
    }
    assertThat(Answers.accepts(choice, "ye")).isFalse();
    assertThat(Answers.walk(choice, "yesno")).isEqualTo(ByteAutomaton.DEAD);
  }

  @Test
  void manyLongChoicesFit() {
    StringBuilder choices = new StringBuilder();
    for (int i = 0; i < 2_000; i++) {
      choices.append(i == 0 ? "" : ",").append('"').append(i * 7_919L).append("-company\"");
    }
    ByteAutomaton choice =
        Answers.automaton("choice: [" + choices + ",\"" + "x".repeat(3_000) + "\"]");

    assertThat(Answers.accepts(choice, 1_999 * 7_919L + "-company")).isTrue();
    assertThat(Answers.accepts(choice, "1-company")).isFalse();
    assertThat(Answers.accepts(choice, "x".repeat(3_000))).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "regexp: a; begins with 'regexp: a'",
        "choice: [; the choices of the response format are no JSON",
        "choice: []; must be a JSON array of one or more strings",
        "choice: {}; must be a JSON array of one or more strings",
        "choice: [\"a\", 1]; a choice of the response format is NUMBER; expected a string",
        "choice: [\"a\"] b; are no JSON",
        "choice: [\"\\ud800\"]; half a surrogate pair",
        "regex: a|[]b(; a group that is not closed",
        "regex: []; no text meets the response format",
      })
  void saysWhatIsWrong(String format, String message) {
    assertThatThrownBy(() -> ResponseFormat.parse(format, WhiteSpace.COMPACT))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining(message);
  }

  @Test
  void formatsOfEqualTextAreEqual() {
    ResponseFormat format = ResponseFormat.parse("regex: a", WhiteSpace.COMPACT);

    assertThat(format)
        .isEqualTo(ResponseFormat.parse("regex: a", WhiteSpace.COMPACT))
        .hasSameHashCodeAs(ResponseFormat.parse("regex: a", WhiteSpace.COMPACT))
        .hasToString("regex: a")
        .isNotEqualTo(ResponseFormat.parse("regex: a", WhiteSpace.FREE))
        .isNotEqualTo(ResponseFormat.parse("regex: b", WhiteSpace.COMPACT));
  }
}
