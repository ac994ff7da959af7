// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of the encoder lab's autoencoder leave open, as switches.
#include "app/window/encoder_controller.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/reader_switches.h"

#include <algorithm>
#include <initializer_list>

namespace tamis::app {
namespace {
using Kind = views::ReaderSwitch::Kind;

struct Offered {
    const char* name;
    const char* title;
    const char* help;
    Kind kind;
    std::initializer_list<io::SaeFormat> formats;
};

/// docs/formats-autoencoder.md says which formats leave what open.
const Offered kOffered[] = {
    {"layer-norm", QT_TRANSLATE_NOOP("EncoderController", "Layer norm"), QT_TRANSLATE_NOOP("EncoderController", "Inputs pass a layer norm. As stated: where the activation is TopK"), Kind::Choice,
     {io::SaeFormat::OpenAi}},
    {"embedding", QT_TRANSLATE_NOOP("EncoderController", "Of embeddings"),
     QT_TRANSLATE_NOOP("EncoderController", "Trained on embeddings times √D. As stated: where the path has \"embedding\" in it"), Kind::Choice, {io::SaeFormat::GemmaScope}},
    {"input-scaling", QT_TRANSLATE_NOOP("EncoderController", "Scale inputs"),
     QT_TRANSLATE_NOOP("EncoderController", "Inputs are scaled to the average norm √D of the data set. No: the weights are for inputs as they are"), Kind::Choice, {io::SaeFormat::LlamaScope}},
    {"input-scale", QT_TRANSLATE_NOOP("EncoderController", "Input scale"),
     QT_TRANSLATE_NOOP("EncoderController", "Number that inputs are multiplied by, before what the files say of it; 1: it is in the weights already"), Kind::Number,
     {io::SaeFormat::LlamaScope, io::SaeFormat::SaeLens}},
    {"decoder-norms", QT_TRANSLATE_NOOP("EncoderController", "Decoder norms"),
     QT_TRANSLATE_NOOP("EncoderController", "Values count times the length of their decoder row: for the selection in Llama Scope, for the values in dictionary_learning"), Kind::Choice,
     {io::SaeFormat::LlamaScope, io::SaeFormat::DictionaryLearning}},
    {"raw-threshold", QT_TRANSLATE_NOOP("EncoderController", "Raw thresholds"), QT_TRANSLATE_NOOP("EncoderController", "Thresholds count in the units of the inputs as they are"), Kind::Flag,
     {io::SaeFormat::LlamaScope}},
    {"per-token-topk", QT_TRANSLATE_NOOP("EncoderController", "Top k of a token"),
     QT_TRANSLATE_NOOP("EncoderController", "The k largest of every token instead of those above the threshold that training left"), Kind::Flag,
     {io::SaeFormat::LlamaScope, io::SaeFormat::DictionaryLearning}}};

QString valueIn(const std::vector<std::string>& assumed, const QString& name)
{
    for (const std::string& each : assumed)
        if (const QString assignment = QString::fromStdString(each); assignment.section(QLatin1Char('='), 0, 0) == name)
            return assignment.section(QLatin1Char('='), 1);
    return {};
}
} // namespace

void EncoderController::showSwitches()
{
    std::vector<views::ReaderSwitch> switches;
    QStringList notes;
    if (m_sources) {
        for (const Offered& each : kOffered)
            if (std::ranges::find(each.formats, m_sources->autoencoder->format) != each.formats.end())
                switches.push_back({QLatin1String(each.name), tr(each.title), tr(each.help), each.kind, valueIn(m_sources->paths.assumed, QLatin1String(each.name))});
        for (const std::string& note : m_sources->autoencoder->notes)
            notes << QString::fromStdString(note);
    }
    m_views.panel->settings()->switches()->setSwitches(switches, notes);
}

void EncoderController::assume(const QString& name, const QString& value)
{
    if (!m_sources)
        return;
    EncoderPaths paths = m_sources->paths;
    const std::string prefix = name.toStdString() + '=';
    std::erase_if(paths.assumed, [&](const std::string& each) { return each.starts_with(prefix); });
    if (!value.isEmpty())
        paths.assumed.push_back(prefix + value.toStdString());
    std::ranges::sort(paths.assumed);
    openSources(paths, true);
}

} // namespace tamis::app
