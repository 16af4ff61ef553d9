package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
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
      Conversation messages = new Conversation(messages(one.get("messages")), options(one));
      if (one.has("rendered")) {
        assertThat(template.render(messages))
            .as("%s with %s", name, messages)
            .isEqualTo(one.get("rendered").textValue());
      } else if (one.has("refused")) {
        assertThatThrownBy(() -> template.render(messages))
            .isInstanceOf(ChatTemplateException.class)
            .hasMessage(one.get("refused").textValue());
      } else {
        assertThatThrownBy(() -> template.render(messages))
            .isInstanceOf(ChatTemplateException.class)
            .hasMessageContaining(
                one.has("continued") ? "cannot be continued" : "chat_template.jinja: line ");
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
        "{% for a, b in [1] %}{% endfor %}",
        "{{ 'a' | nonsense }}",
        "{{ 'a' is nonsense }}",
        "{{ 'abc'.startswith(none) }}",
        "{{ 'abc'.split(1) }}",
        "{{ 'abc' | indent(-1) }}",
        "{{ 'abc' | replace('a') }}",
        "{{ 'abc' | trim(1, 2, 3) }}",
        "{{ 'abc' | tojson(nonsense=1) }}",
        "{{ 'abc' | from_json }}",
        "{{ {[1]: 2} }}",
        "{{ range(1, 2, 0) }}",
        "{{ '%d' % 'a' }}",
        "{{ '%' | format }}",
        "{{ (1)() }}",
        "{{ loop.cycle() }}",
        "{% call range(1) %}{% endcall %}",
        "{% for x in [] recursive %}{% endfor %}"
      })
  void aTemplateThatFailsSaysSo(String template) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> render(ONE))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("chat_template.jinja");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ #(#1#)# }}",
        "{{ #[#1#]# }}",
        "{{ #{1:#1#}# }}",
        "{{ #a[#1#]# }}",
        "{{ #a(#1#)# }}",
        "{{ #not #1## }}",
        "{{ #- #1## }}",
        "{{ #1 if 1 else #1## }}",
        "#{% if a %}##{% endif %}#",
        "#{% for a in b %}##{% endfor %}#"
      })
  void deepNestingIsRefused(String nested) throws Exception {
    String[] parts = nested.split("#", -1);
    String template =
        parts[0] + parts[1].repeat(20_000) + parts[2] + parts[3].repeat(20_000) + parts[4];
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> onSmallStack(() -> TextFolder.template(folder)))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("deeper than");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ 'a'SYMBOLS }};|upper",
        "{{ 1SYMBOLS }};+1",
        "{{ 1SYMBOLS }};~1",
        "{{ messagesSYMBOLS }};[0]",
        "{{ trueSYMBOLS }};and true",
        "{{ 1SYMBOLS }};<2"
      })
  void aLongChainIsRefusedByTheLimitOfDepth(String chain) throws Exception {
    String[] parts = chain.split(";");
    String template = parts[0].replace("SYMBOLS", (" " + parts[1]).repeat(50_000));
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> onSmallStack(() -> render(ONE)))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("chat_template.jinja: line 1: goes deeper than 200 levels");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{% if x %}{% for y in [x] %}{{ m([y]) | trim }}{% endfor %}{% endif %}"
            + "{% endmacro %}{{ m([1]) }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor"
            + " %}{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor"
            + " %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[], y=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}"
            + "{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}"
      })
  void whatCallsOrHoldsItselfIsRefusedByTheLimitOfDepth(String template) throws Exception {
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> onSmallStack(() -> render(ONE)))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("goes deeper than 200 levels");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% set ns = namespace(x=[1,2,3,4]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}"
            + "{% endfor %}x",
        "{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}"
            + "{% endfor %}{{ ns.x }}",
        "{{ 'a\nb' | indent(2000000000) }}",
        "{{ messages | tojson(indent=1000000000) }}",
        "{{ 'ab' * 9000000000 }}",
        "{{ [1] * 9000000000 }}",
        "{{ 'a' | center(9000000000) }}",
        "{{ ('a' * 60000).replace('a', 'b' * 60000) }}",
        "{{ ('b' * 60000).join('a' * 60000) }}",
        "{{ ('a' * 9000000).split('a') }}",
        "{{ [1] | batch(9000000000, 2) | list }}",
        "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}"
      })
  void whatMakesTooMuchIsRefused(String template) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> render(ONE))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining(
            "chat_template.jinja: line 1: makes more than 67108864 characters of texts and lists");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}"
            + "{% endfor %}{% endfor %}x",
        "{% set n = 'a' * 500000 ~ 'b' %}{{ n in 'a' * 5000000 }}",
        "{% set n = 'a' * 500000 ~ 'b' %}{{ ('b' ~ 'a' * 5000000).rfind(n) }}",
        "{% set a = range(100000) | list %}{% for x in a %}{% if -1 in a %}{% endif %}{% endfor %}"
      })
  void whatTakesTooManyStepsIsRefused(String template) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), template);

    assertThatThrownBy(() -> render(ONE))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("chat_template.jinja: line 1: takes more than 50000000 steps");
  }

  @Test
  void anInterruptedThreadEndsARendering() throws IOException {
    Files.writeString(
        folder.resolve("chat_template.jinja"), "{% for i in range(100000) %}{% endfor %}");
    ChatTemplate template = TextFolder.template(folder).orElseThrow();

    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> template.render(Conversation.of(ONE)))
          .isInstanceOf(CancellationException.class);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void loneSurrogatesArriveAsReplacementCharacters() throws IOException {
    Files.writeString(
        folder.resolve("chat_template.jinja"), "{{ messages[0].content }}|{{ '\\ud83d' }}");

    assertThat(render(List.of(new Message("user", "a\uD83Db")))).isEqualTo("a\uFFFDb|\uFFFD");
  }

  @Test
  void aTemplateBeyondAnyPublishedOnesLengthIsRefused() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "a".repeat((4 << 20) + 1));

    assertThatThrownBy(() -> TextFolder.template(folder))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("expected at most 4194304");
  }

  @Test
  void fromJsonReadsWhatJsonSays() throws IOException {
    Files.writeString(
        folder.resolve("chat_template.jinja"),
        "{% set v = messages[0].content | from_json %}{{ v.a[1] }}{{ v.b is none }}{{ v.c }}"
            + "{{ '[1.5, true]' | fromjson }}");

    assertThat(render(List.of(new Message("user", "{\"a\": [1, \"x\"], \"b\": null, \"c\": 2}"))))
        .isEqualTo("xTrue2[1.5, True]");
  }

  /** Half of what a thread of Spark's has: what passes here has room for what calls it there. */
  private static void onSmallStack(Callable<?> work) throws Exception {
    FutureTask<Object> task = new FutureTask<>(work::call);
    Thread thread = new Thread(null, task, "small stack", 512 << 10);
    thread.start();
    try {
      task.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
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
  void jsonThatNoTemplateCanBeGivenIsRefused() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ tools }}{{ messages }}");
    ChatTemplate template = TextFolder.template(folder).orElseThrow();
    for (String value : List.of("9223372036854775808", "[".repeat(300) + "]".repeat(300))) {
      String json = "{\"a\": " + value + "}";
      Message message = new Message("user", "x", Optional.of(json));
      assertThatThrownBy(() -> template.render(Conversation.of(List.of(message))))
          .isInstanceOf(ChatTemplateException.class)
          .hasMessageStartingWith("a message's fields: ");
      assertThatThrownBy(
              () ->
                  template.render(
                      new Conversation(
                          ONE,
                          new TemplateOptions(
                              Optional.of("[" + json + "]"), Optional.empty(), false))))
          .isInstanceOf(ChatTemplateException.class)
          .hasMessageStartingWith("tools: ");
    }
  }

  @Test
  void todayIsWrittenAsPythonWouldWriteIt() {
    LocalDateTime time = LocalDateTime.of(2024, 3, 7, 16, 5, 9);

    assertThat(TemplateFunctions.format(time, "%d %b %Y, %A %B %H:%M:%S %I%p %j 100%%"))
        .isEqualTo("07 Mar 2024, Thursday March 16:05:09 04PM 067 100%");
  }

  private String render(List<Message> messages) {
    return TextFolder.template(folder).orElseThrow().render(Conversation.of(messages));
  }

  private void config(String content) throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), content);
  }

  private static List<Message> messages(JsonNode list) {
    List<Message> messages = new ArrayList<>();
    for (JsonNode message : list) {
      ObjectNode fields = message.deepCopy();
      fields.remove(List.of("role", "content"));
      messages.add(
          new Message(
              message.get("role").textValue(),
              message.get("content").textValue(),
              fields.isEmpty() ? Optional.empty() : Optional.of(fields.toString())));
    }
    return messages;
  }

  private static TemplateOptions options(JsonNode one) {
    return new TemplateOptions(
        Optional.ofNullable(one.get("tools")).map(JsonNode::toString),
        Optional.ofNullable(one.get("variables")).map(JsonNode::toString),
        one.path("continued").asBoolean());
  }
}
