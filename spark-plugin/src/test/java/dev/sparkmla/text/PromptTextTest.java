package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptTextTest {
  private static final Path DEMO = Path.of("..", "jobs", "demo-model", "model");
  private static final List<Message> ONE = List.of(new Message("user", "one two"));

  @TempDir private Path folder;

  @BeforeEach
  void copyTokenizer() throws IOException {
    for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(DEMO.resolve(file), folder.resolve(file));
    }
  }

  @Test
  void countsWhatAPromptIsEncodedTo() {
    try (PromptText text = PromptText.open(DEMO);
        Tokenizer tokenizer = TextFolder.tokenizer(DEMO)) {
      ChatTemplate template = TextFolder.template(DEMO).orElseThrow();
      assertThat(text.countTokens("one two")).isEqualTo(tokenizer.encodePrompt("one two").length);
      assertThat(text.countTokens(ONE))
          .isEqualTo(tokenizer.encodeChat(template, Conversation.of(ONE)).length);
      assertThat(text.renderChat(ONE)).isEqualTo(template.render(Conversation.of(ONE)));
      assertThat(text.countTokens("")).isZero();
    }
  }

  @Test
  void refusesWhatTheTemplateRefuses() throws IOException {
    Files.writeString(
        folder.resolve("chat_template.jinja"), "{{ raise_exception('no such speaker') }}");
    try (PromptText text = PromptText.open(folder)) {
      assertThatThrownBy(() -> text.renderChat(ONE))
          .isInstanceOf(ChatTemplateException.class)
          .hasMessage("no such speaker");
      assertThatThrownBy(() -> text.countTokens(ONE)).isInstanceOf(ChatTemplateException.class);
      assertThatThrownBy(() -> text.renderChat(List.of()))
          .isInstanceOf(ChatTemplateException.class);
    }
  }

  @Test
  void saysThatAModelHasNoTemplate() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{}");
    try (PromptText text = PromptText.open(folder)) {
      assertThat(text.countTokens("one two")).isPositive();
      assertThatThrownBy(() -> text.countTokens(ONE))
          .isInstanceOf(TextFormatException.class)
          .hasMessageContaining("tokenizer_config.json: has no chat_template");
    }
  }
}
