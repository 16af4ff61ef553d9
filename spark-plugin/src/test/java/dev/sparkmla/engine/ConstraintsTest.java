package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.Constraint;
import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.ThinkingFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConstraintsTest {
  private static final Optional<PromptKind> NO_THOUGHTS = Optional.empty();

  @TempDir private Path folder;
  private PromptText text;

  @AfterEach
  void close() {
    text.close();
  }

  private Constraints constraints(String... markers) throws IOException {
    ThinkingFolder.write(folder, false, "{{ messages[0].content }}", markers);
    text = PromptText.open(folder);
    return new Constraints(
        new Vocabulary(text.tokenizer(), ThinkingFolder.VOCABULARY),
        Thinking.of(text.tokenizer(), text.template()));
  }

  private static GenerationParameters format(String format) {
    return GenerationParameters.parse(Map.of("response_format", format));
  }

  @Test
  void makesNothingWhereNoFormatIsNamed() throws IOException {
    assertThat(constraints().of(GenerationParameters.parse(Map.of()), NO_THOUGHTS)).isEmpty();
  }

  @Test
  void readsAFormatOnceForManyRows() throws IOException {
    Constraints constraints = constraints();
    Constraint first = constraints.of(format("regex: a+"), NO_THOUGHTS).orElseThrow();
    Constraint again = constraints.of(format("regex: a+"), NO_THOUGHTS).orElseThrow();
    assertThat(again.automaton()).isSameAs(first.automaton());
    assertThat(again.vocabulary()).isSameAs(first.vocabulary());
    for (int i = 1; i <= 256; i++) {
      constraints.of(format("regex: b{" + i + "}"), NO_THOUGHTS);
    }
    assertThat(constraints.of(format("regex: a+"), NO_THOUGHTS).orElseThrow().automaton())
        .as("forgotten after 256 others")
        .isNotSameAs(first.automaton());
  }

  @Test
  void beginsAfterTheTokenThatClosesThoughts() throws IOException {
    Constraints constraints = constraints("<think>", "</think>");
    assertThat(constraints.of(format("regex: a+"), NO_THOUGHTS).orElseThrow().after()).isEmpty();
    Constraint after =
        constraints.of(format("regex: a+"), Optional.of(PromptKind.TEXT)).orElseThrow();
    assertThat(after.after()).hasValue(ThinkingFolder.CLOSING);
    assertThat(after.advance(after.start(), ThinkingFolder.CLOSING))
        .isEqualTo(after.automaton().start());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "TEXT; end the prompt without '◁think▷', or with '◁/think▷' after it.",
        "CONVERSATION; switch them off (chat_template_kwargs).",
        "CONTINUED_MESSAGE; close them with '◁/think▷' in the message that is continued."
      })
  void refusesToFollowThoughtsThatNoTokenCloses(PromptKind prompt, String advice)
      throws IOException {
    Constraints constraints = constraints();
    assertThatThrownBy(() -> constraints.of(format("regex: a+"), Optional.of(prompt)))
        .isInstanceOf(RowErrorException.class)
        .hasMessageContaining("thoughts, which end with '◁/think▷', a text and not a token; ")
        .hasMessageEndingWith(advice);
  }

  @Test
  void saysWhatIsWrongWithAFormatForEveryRow() throws IOException {
    Constraints constraints = constraints();
    for (int row = 0; row < 2; row++) {
      assertThatThrownBy(() -> constraints.of(format("regex: (a"), NO_THOUGHTS))
          .isInstanceOf(RowErrorException.class)
          .hasMessageStartingWith("response_format cannot be used: ");
    }
  }
}
