package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
  private static final String NAMED =
      "\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\", \"lstrip\": false}";
  private static final List<Message> ONE = List.of(new Message("user", "x"));

  @TempDir private Path folder;

  static Stream<Arguments> templates() throws IOException {
    JsonNode templates =
        new ObjectMapper()
            .readTree(Files.readString(Path.of("src", "test", "golden", "templates.json")));
    List<Arguments> arguments = new ArrayList<>();
    for (JsonNode template : templates) {
      arguments.add(Arguments.of(template.get("name").textValue(), template));
    }
    return arguments.stream();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("templates")
  void rendersAsTransformersDoes(String name, JsonNode expected) throws IOException {
    config("{" + NAMED + "}");
    Files.writeString(folder.resolve("chat_template.jinja"), expected.get("template").textValue());
    ChatTemplate template = TextFolder.template(folder).orElseThrow();

    for (JsonNode one : expected.get("cases")) {
      List<Message> messages = messages(one.get("messages"));
      if (one.has("rendered")) {
        assertThat(template.render(messages))
            .as("%s with %s", name, messages)
            .isEqualTo(one.get("rendered").textValue());
      } else {
        assertThatThrownBy(() -> template.render(messages))
            .isInstanceOf(ChatTemplateException.class)
            .hasMessage(one.get("refused").textValue());
      }
    }
  }

  @Test
  void aFolderWithoutTemplateHasNone() throws IOException {
    assertThat(TextFolder.template(folder)).isEmpty();
    config("{" + NAMED + ", \"chat_template\": null}");
    assertThat(TextFolder.template(folder)).isEmpty();
  }

  @Test
  void theConfigurationsTemplateIsUsedWhereThereIsNoFile() throws IOException {
    config("{" + NAMED + ", \"chat_template\": \"{{ bos_token }}{{ messages[0].content }}\"}");
    assertThat(render(ONE)).isEqualTo("<s>x");

    Files.writeString(folder.resolve("chat_template.jinja"), "file{{ eos_token }}\n");
    assertThat(render(ONE)).isEqualTo("file</s>");
  }

  @Test
  void ofNamedTemplatesTheDefaultIsUsed() throws IOException {
    config(
        "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"tools\"},"
            + "{\"name\": \"default\", \"template\": \"default\"}]}");

    assertThat(render(ONE)).isEqualTo("default");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "[]",
        "{\"chat_template\": 7}",
        "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"tools\"}]}"
      })
  void aConfigurationThatCannotBeUsedIsNamed(String content) throws IOException {
    config(content);

    assertThatThrownBy(() -> TextFolder.template(folder))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("tokenizer_config.json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for m in messages %}",
        "{% for m in messages %}{% endif %}",
        "{% endfor %}",
        "{% nonsense %}",
        "{% include 'a' %}",
        "{% break %}",
        "{{ 'a' | nonsense }}",
        "{{ 'a' is nonsense }}",
        "{{ messages | ",
        "{{ messages[ }}",
        "{{ 'a }}",
        "{{ }}",
        "{{ a b }}",
        "{{ 1 $ 2 }}",
        "{# comment",
        "{% raw %}",
        "{% set 1 = 2 %}",
        "{{ '\\x' }}",
        "{% if %}{% endif %}"
      })
  void aTemplateThatIsNoneIsNamed(String template) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "\n" + template);

    assertThatThrownBy(() -> TextFolder.template(folder))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("chat_template.jinja")
        .hasMessageContaining("line 2");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ nothing_like_this(1) }}",
        "{{ nothing.like.this }}",
        "{{ messages[0].content.nothing_like_this() }}",
        "{{ messages[0].content + 1 }}",
        "{{ messages[0].content.split('') }}",
        "{{ messages[0].content.replace('a') }}",
        "{{ 1 // 0 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set messages.x = 1 %}",
        "{% for a, b in [1] %}{% endfor %}"
      })
  void aTemplateThatFailsSaysSo(String template) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> render(ONE))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("chat_template.jinja");
  }

  @Test
  void deepNestingIsRefused() throws IOException {
    for (String deep : List.of("{{ " + "(".repeat(100_000), "{% if a %}".repeat(100_000))) {
      Files.writeString(folder.resolve("chat_template.jinja"), deep);

      assertThatThrownBy(() -> TextFolder.template(folder)).isInstanceOf(TextFormatException.class);
    }
  }

  @Test
  void textsAreNeverTemplates() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}");
    String text = "{{ 1 + 1 }}{% raw %}{# gone #}{% if x %}";

    assertThat(render(List.of(new Message("user", text)))).isEqualTo(text);
  }

  @Test
  void aVeryLongTextIsRenderedWhole() throws IOException {
    Files.writeString(
        folder.resolve("chat_template.jinja"),
        "{% for m in messages %}{{ '<' + m.role + '>' + m.content }}{% endfor %}");
    String text = "river stone ".repeat(500_000);

    assertThat(render(List.of(new Message("user", text)))).isEqualTo("<user>" + text);
  }

  @Test
  void todayIsWrittenAsPythonWouldWriteIt() {
    LocalDateTime time = LocalDateTime.of(2024, 3, 7, 16, 5, 9);

    assertThat(TemplateFunctions.format(time, "%d %b %Y, %A %B %H:%M:%S %I%p %j 100%%"))
        .isEqualTo("07 Mar 2024, Thursday March 16:05:09 04PM 067 100%");
  }

  private String render(List<Message> messages) {
    return TextFolder.template(folder).orElseThrow().render(messages);
  }

  private void config(String content) throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), content);
  }

  private static List<Message> messages(JsonNode list) {
    List<Message> messages = new ArrayList<>();
    for (JsonNode message : list) {
      messages.add(
          new Message(message.get("role").textValue(), message.get("content").textValue()));
    }
    return messages;
  }
}
