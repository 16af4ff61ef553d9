package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** The SQL functions for DataFrames in Java and Scala. */
public final class MlaFunctions {
  private MlaFunctions() {}

  /**
   * {@code llm_generate(prompt)}.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @return {@code STRUCT<text, reasoning, finish_reason, prompt_tokens, cached_tokens,
   *     output_tokens, error>}; NULL for a NULL prompt
   */
  public static Column llmGenerate(Column prompt) {
    return llmGenerate(prompt, LlmOptions.defaults());
  }

  /**
   * {@code llm_generate}.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @param options how to generate
   * @return {@code STRUCT<text, reasoning, finish_reason, prompt_tokens, cached_tokens,
   *     output_tokens, error>}, and the fields that the options ask for; NULL for a NULL prompt,
   *     and for a row in error where the options say so
   */
  public static Column llmGenerate(Column prompt, LlmOptions options) {
    return call(LlmGenerate.NAME, prompt, options);
  }

  /**
   * {@code llm_generate_text(prompt)}.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @return STRING; NULL for a NULL prompt and for a row in error
   */
  public static Column llmGenerateText(Column prompt) {
    return llmGenerateText(prompt, LlmOptions.defaults());
  }

  /**
   * {@code llm_generate_text}.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @param options how to generate
   * @return STRING; NULL for a NULL prompt and for a row in error
   */
  public static Column llmGenerateText(Column prompt, LlmOptions options) {
    return call(LlmGenerate.TEXT_NAME, prompt, options);
  }

  /**
   * {@code llm_count_tokens}: what {@code llm_generate} would count as {@code prompt_tokens}.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @return INT; NULL for a NULL prompt and for a conversation that the chat template refuses
   */
  public static Column llmCountTokens(Column prompt) {
    return functions.call_function(LlmPromptFunction.Kind.COUNT_TOKENS.function(), prompt);
  }

  /**
   * {@code llm_render_chat}: the text that the model's chat template makes of a conversation.
   *
   * @param messages ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @return STRING; NULL for NULL and for a conversation that the chat template refuses
   */
  public static Column llmRenderChat(Column messages) {
    return functions.call_function(LlmPromptFunction.Kind.RENDER_CHAT.function(), messages);
  }

  private static Column call(String function, Column prompt, LlmOptions options) {
    List<Column> params = new ArrayList<>();
    new TreeMap<>(options.params())
        .forEach(
            (name, value) -> {
              params.add(functions.lit(name));
              params.add(value);
            });
    return functions.call_function(
        function,
        prompt,
        params.isEmpty() ? functions.lit(null) : functions.map(params.toArray(Column[]::new)),
        options.system().orElse(functions.lit(null)),
        functions.lit(options.onError().toString()),
        functions.lit(options.onOverflow().toString()),
        functions.lit(options.responseFormat().orElse(null)));
  }
}
