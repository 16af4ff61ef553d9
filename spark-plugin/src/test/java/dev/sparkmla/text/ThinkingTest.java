package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ThinkingTest {
  private static final List<Message> ONE = List.of(new Message("user", "Why? <think>"));

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "<think>, </think>, false",
    "<think>, </think>, true",
    "[THINK], [/THINK], true",
    "<|thought_start|>, <|thought_end|>, true",
    "◁think▷, ◁/think▷, false"
  })
  void findsMarkersThatAreTokens(String opening, String closing, boolean special)
      throws IOException {
    ThinkingFolder.write(folder, special, "{{ messages[0].content }}", opening, closing);
    try (PromptText text = PromptText.open(folder)) {
      Thinking thinking = Thinking.of(text.tokenizer(), text.template());
      assertThat(thinking.opening()).isEqualTo(opening);
      assertThat(thinking.closing()).isEqualTo(closing);
      assertThat(thinking.openingToken()).hasValue(ThinkingFolder.OPENING);
      assertThat(thinking.closingToken()).hasValue(ThinkingFolder.CLOSING);
      assertThat(thinking.isPlainText()).isFalse();
    }
  }

  @Test
  void findsMarkersThatTheTemplateWrites() throws IOException {
    ThinkingFolder.write(folder, false, "{{ '[THINK][/THINK]' }}");
    try (PromptText text = PromptText.open(folder)) {
      Thinking thinking = Thinking.of(text.tokenizer(), text.template());
      assertThat(thinking.closing()).isEqualTo("[/THINK]");
      assertThat(thinking.closingToken()).isEmpty();
      assertThat(thinking.isPlainText()).isTrue();
    }
  }

  @Test
  void takesKimisMarkersWhereNothingNamesAny() throws IOException {
    ThinkingFolder.write(folder, false, "{{ messages[0].content }}");
    try (PromptText text = PromptText.open(folder)) {
      Thinking thinking = Thinking.of(text.tokenizer(), text.template());
      assertThat(thinking.closing()).isEqualTo("◁/think▷");
      assertThat(thinking.isPlainText()).isTrue();
      assertThat(thinking.isOpenAfter(text.tokenizer().encodePrompt("Why?"))).isFalse();
      assertThat(thinking.isOpenAfter(text.tokenizer().encodePrompt("Why?◁think▷\n"))).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"<think>So it, true", "<think>So</think>It, false", "It, true", "</think>It, false"})
  void seesWhetherTheContinuedMessageIsWithinThoughts(String begun, boolean open)
      throws IOException {
    ThinkingFolder.write(
        folder,
        false,
        "{% for m in messages %}{{ '<|assistant|>' if m.role == 'assistant' else '<|user|>' }}"
            + "{{ '<think>' if m.role == 'assistant' and '<think>' not in m.content }}"
            + "{{ m.content }}<|end|>{% endfor %}",
        "<think>",
        "</think>");
    try (PromptText text = PromptText.open(folder)) {
      Thinking thinking = Thinking.of(text.tokenizer(), text.template());
      int[] prompt =
          text.tokenizer()
              .encodeChat(
                  text.template().orElseThrow(),
                  new Conversation(
                      List.of(ONE.get(0), new Message("assistant", begun)),
                      new TemplateOptions(Optional.empty(), Optional.empty(), true)));
      assertThat(thinking.isOpenWithin(prompt)).isEqualTo(open);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "<think>                | true",
        "<think>\\n             | true",
        "<think>\\n\\n          | true",
        "<think></think>        | false",
        "<think>\\n\\n</think>\\n\\n | false",
        "</think>               | false",
        "<think>So              | false",
        "''                     | false",
      })
  void seesWhetherTheTemplateHasOpenedThoughts(String ending, boolean open) throws IOException {
    ThinkingFolder.write(
        folder,
        false,
        "{{ '<|user|>' + messages[0].content + '<|assistant|>' + \"" + ending + "\" }}",
        "<think>",
        "</think>");
    try (PromptText text = PromptText.open(folder)) {
      Thinking thinking = Thinking.of(text.tokenizer(), text.template());
      int[] prompt =
          text.tokenizer().encodeChat(text.template().orElseThrow(), Conversation.of(ONE));
      assertThat(thinking.isOpenAfter(prompt)).isEqualTo(open);
    }
  }
}
