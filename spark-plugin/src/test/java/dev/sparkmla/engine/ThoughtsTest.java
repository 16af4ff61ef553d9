package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.SpecialTokens;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.ThinkingFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Thoughts and answers of {@link OutputText}. */
class ThoughtsTest {
  @TempDir private Path folder;
  private PromptText text;

  @AfterEach
  void close() {
    text.close();
  }

  private void open(boolean special, String... markers) throws IOException {
    ThinkingFolder.write(folder, special, "{{ messages[0].content }}", markers);
    text = PromptText.open(folder);
  }

  private OutputText output(boolean opened, String... stop) {
    return new OutputText(
        () -> text.tokenizer().newDecoder(false),
        Thinking.of(text.tokenizer(), text.template()),
        opened,
        new StoppedText(List.of(stop), false));
  }

  /** Adds what a model generates, token by token; markers are tokens where there are such. */
  private boolean appendAll(OutputText output, String generated) {
    for (int id : text.tokenizer().encode(generated, SpecialTokens.PARSED)) {
      if (output.append(id)) {
        return true;
      }
    }
    return output.finish();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "none",
      value = {
        "true  | river 19</think>stone        | river 19 | stone",
        "true  | \\n river </think>\\n\\nstone \\n | river    | stone \\n",
        "true  | </think>stone                | ''       | stone",
        "true  | river                        | river    | ''",
        "true  | a<think>b</think>c</think>d  | a<think>b | c</think>d",
        "false | <think>river</think>stone    | river    | stone",
        "false | \\n<think>\\nriver\\n</think>\\n\\nstone | river | stone",
        "false | <think>                      | ''       | ''",
        "false | stone                        | none     | stone",
        "false | \\n\\nstone                    | none     | \\n\\nstone",
        "false | stone<think>x</think>y       | none     | stone<think>x</think>y",
        "false | x</think>y                   | none     | x</think>y",
        "false | ''                           | none     | ''",
        "false | <thin river                  | none     | <thin river",
        "true  | 東</think>京                  | 東       | 京",
      })
  void separatesThoughtsFromTheAnswer(
      boolean opened, String generated, String thoughts, String answer) throws IOException {
    for (String[] markers : new String[][] {{"<think>", "</think>"}, {}}) {
      boolean tokens = markers.length > 0;
      open(false, markers);
      String written =
          tokens
              ? generated
              : generated.replace("<think>", "◁think▷").replace("</think>", "◁/think▷");
      OutputText output = output(opened);
      assertThat(appendAll(output, unescaped(written))).isFalse();
      assertThat(plain(output.text())).as("answer, tokens %s", tokens).isEqualTo(unescaped(answer));
      assertThat(output.reasoning().map(ThoughtsTest::plain).orElse(null))
          .as("thoughts, tokens %s", tokens)
          .isEqualTo(thoughts);
      text.close();
      folder = Files.createDirectory(folder.resolve("next"));
    }
  }

  private static String unescaped(String text) {
    return text.replace("\\n", "\n");
  }

  private static String plain(String text) {
    return text.replace("◁think▷", "<think>").replace("◁/think▷", "</think>");
  }

  @Test
  void specialMarkersLeaveNoText() throws IOException {
    open(true, "[THINK]", "[/THINK]");
    OutputText output = output(false);
    assertThat(appendAll(output, "[THINK]river[/THINK]stone")).isFalse();
    assertThat(output.reasoning()).contains("river");
    assertThat(output.text()).isEqualTo("stone");
  }

  @Test
  void markersThatAreTokensAreNotMetAsText() throws IOException {
    open(false, "<think>", "</think>");
    OutputText output = output(true);
    for (int id : text.tokenizer().encode("a < / th", SpecialTokens.PARSED)) {
      output.append(id);
    }
    for (String part : List.of("</", "think", ">", "b")) {
      for (int id : text.tokenizer().encode(part, SpecialTokens.PARSED)) {
        output.append(id);
      }
    }
    assertThat(output.append(ThinkingFolder.CLOSING)).isFalse();
    assertThat(output.reasoning()).contains("a < / th</think>b");
  }

  @Test
  void stopTextsEndTheAnswerAlone() throws IOException {
    open(false, "<think>", "</think>");
    OutputText output = output(false, "er", "\n");
    assertThat(appendAll(output, "<think>river\nriver</think>\n\nwater stone")).isTrue();
    assertThat(output.reasoning()).contains("river\nriver");
    assertThat(output.text()).isEqualTo("wat");
  }

  @Test
  void aStopTextThatAMarkerHoldsEndsNoThoughts() throws IOException {
    open(false);
    OutputText output = output(false, "think");
    assertThat(appendAll(output, "◁think▷river◁/think▷I think so")).isTrue();
    assertThat(output.reasoning()).contains("river");
    assertThat(output.text()).isEqualTo("I ");
  }
}
