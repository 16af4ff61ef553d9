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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConstraintsTest {
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
    assertThat(constraints().of(GenerationParameters.parse(Map.of()), false)).isEmpty();
  }

  @Test
  void readsAFormatOnceForManyRows() throws IOException {
    Constraints constraints = constraints();
    Constraint first = constraints.of(format("regex: a+"), false).orElseThrow();
    Constraint again = constraints.of(format("regex: a+"), false).orElseThrow();
    assertThat(again.automaton()).isSameAs(first.automaton());
    assertThat(again.vocabulary()).isSameAs(first.vocabulary());
    for (int i = 1; i <= 256; i++) {
      constraints.of(format("regex: b{" + i + "}"), false);
    }
    assertThat(constraints.of(format("regex: a+"), false).orElseThrow().automaton())
        .as("forgotten after 256 others")
        .isNotSameAs(first.automaton());
  }

  @Test
  void beginsAfterTheTokenThatClosesThoughts() throws IOException {
    Constraints constraints = constraints("<think>", "</think>");
    assertThat(constraints.of(format("regex: a+"), false).orElseThrow().after()).isEmpty();
    Constraint after = constraints.of(format("regex: a+"), true).orElseThrow();
    assertThat(after.after()).hasValue(ThinkingFolder.CLOSING);
    assertThat(after.advance(after.start(), ThinkingFolder.CLOSING))
        .isEqualTo(after.automaton().start());
  }

  @Test
  void refusesToFollowThoughtsThatNoTokenCloses() throws IOException {
    Constraints constraints = constraints();
    assertThatThrownBy(() -> constraints.of(format("regex: a+"), true))
        .isInstanceOf(RowErrorException.class)
        .hasMessageContaining("◁/think▷");
  }

  @Test
  void saysWhatIsWrongWithAFormatForEveryRow() throws IOException {
    Constraints constraints = constraints();
    for (int row = 0; row < 2; row++) {
      assertThatThrownBy(() -> constraints.of(format("regex: (a"), false))
          .isInstanceOf(RowErrorException.class)
          .hasMessageStartingWith("response_format cannot be used: ");
    }
  }
}
