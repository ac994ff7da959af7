// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_settings.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"
#include "views/encoder/reader_switches.h"
#include "views/encoder/token_source_box.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace tamis::views {

EncoderSettings::EncoderSettings(QWidget* parent) : QWidget(parent), m_parameters(new ParameterEditor(this))
{
    setObjectName(QStringLiteral("encoderSettings"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    buildSources(column);
    buildMethod(column);
    m_parameters->setObjectName(QStringLiteral("encoderParameters"));
    column->addWidget(m_parameters);
    connect(m_parameters, &ParameterEditor::valueEdited, this, &EncoderSettings::parameterEdited);
    m_train = new QPushButton(themedIcon(QStringLiteral("run")), tr("Train"), this);
    m_train->setObjectName(QStringLiteral("trainEncoder"));
    column->addWidget(m_train);
    connect(m_train, &QPushButton::clicked, this, &EncoderSettings::trainRequested);
    column->addStretch(1);
    setSources({}, 0, 0);
    showMethod();
}

QLabel* EncoderSettings::source(QVBoxLayout* column, const QString& title, const QString& name, const QString& help, QPushButton*& choose)
{
    auto* row = new QHBoxLayout;
    auto* label = new QLabel(title, this);
    label->setToolTip(help);
    auto* text = mutedLabel(this, name);
    text->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    choose = new QPushButton(tr("Open…"), this);
    choose->setObjectName(name + QStringLiteral("Choose"));
    choose->setToolTip(help);
    choose->setAccessibleName(tr("Open %1").arg(title));
    row->addWidget(label, 1);
    row->addWidget(choose);
    column->addLayout(row);
    column->addWidget(text);
    return text;
}

void EncoderSettings::buildSources(QVBoxLayout* column)
{
    m_autoencoder = source(column, tr("Autoencoder"), QStringLiteral("encoderAutoencoder"), tr("A directory with a sparse autoencoder, or its weight file"), m_openAutoencoder);
    m_switches = new ReaderSwitches(this);
    column->addWidget(m_switches);
    m_tokens = new TokenSourceBox(this);
    column->addWidget(m_tokens);
    auto* row = new QHBoxLayout;
    auto* label = new QLabel(tr("&k"), this);
    m_k = new QSpinBox(this);
    m_k->setObjectName(QStringLiteral("encoderK"));
    m_k->setAccessibleName(tr("k, latents of a token"));
    m_k->setToolTip(tr("Latents that a token keeps; the autoencoder's own where it has one"));
    m_k->setKeyboardTracking(false);
    label->setBuddy(m_k);
    row->addWidget(label, 1);
    row->addWidget(m_k);
    column->addLayout(row);
    connect(m_openAutoencoder, &QPushButton::clicked, this, &EncoderSettings::autoencoderRequested);
    connect(m_k, &QSpinBox::valueChanged, this, [this](int k) { emit kEdited(k); });
}

void EncoderSettings::buildMethod(QVBoxLayout* column)
{
    auto* title = new QLabel(tr("&Method"), this);
    m_method = new QComboBox(this);
    m_method->setObjectName(QStringLiteral("encoderMethod"));
    m_method->setAccessibleName(tr("Method"));
    m_method->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    title->setBuddy(m_method);
    m_reference = mutedLabel(this, QStringLiteral("encoderReference"));
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    column->addWidget(title);
    column->addWidget(m_method);
    column->addWidget(m_reference);
    connect(m_method, &QComboBox::activated, this, [this] {
        showMethod();
        emit methodEdited(method());
    });
}

const EncoderMethod* EncoderSettings::chosen() const
{
    const auto found = std::ranges::find(m_methods, method(), &EncoderMethod::id);
    return found == m_methods.end() ? nullptr : &*found;
}

QString EncoderSettings::method() const { return m_method->currentData().toString(); }

void EncoderSettings::setMethods(const std::vector<EncoderMethod>& methods)
{
    const QString before = method();
    const QSignalBlocker quiet(m_method);
    const bool same = std::ranges::equal(methods, m_methods, {}, &EncoderMethod::id, &EncoderMethod::id);
    m_methods = methods;
    if (!same) {
        m_method->clear();
        for (const EncoderMethod& each : methods)
            m_method->addItem(each.title, each.id);
        m_method->setCurrentIndex(std::max(0, m_method->findData(before)));
    }
    for (int at = 0; at < m_method->count(); ++at) {
        const auto& each = m_methods[static_cast<std::size_t>(at)];
        m_method->setItemData(at, each.unavailable.isEmpty() ? each.reference : tr("Not now: %1").arg(each.unavailable), Qt::ToolTipRole);
        if (auto* items = qobject_cast<QStandardItemModel*>(m_method->model()))
            items->item(at)->setEnabled(each.unavailable.isEmpty());
    }
    showMethod();
}

void EncoderSettings::setChoice(const QString& method, const Parameters& parameters)
{
    const QSignalBlocker quiet(m_method);
    if (const int at = m_method->findData(method); at >= 0)
        m_method->setCurrentIndex(at);
    showMethod();
    if (const auto* of = chosen()) {
        Parameters complete = of->schema.defaults();
        for (const auto& [name, value] : parameters.all())
            complete.set(name, value);
        m_parameters->setValues(complete);
    }
}

void EncoderSettings::showMethod()
{
    const auto* of = chosen();
    m_train->setVisible(of && of->trains);
    if (!of)
        return;
    if (std::exchange(m_schemaOf, of->id) != of->id)
        m_parameters->setSchema(of->schema);
    m_reference->setText(of->reference);
    m_method->setToolTip(of->id);
}

void EncoderSettings::setSources(const QString& autoencoder, std::int64_t k, std::int64_t mostK)
{
    m_autoencoder->setText(autoencoder.isEmpty() ? tr("none is open") : autoencoder);
    m_autoencoder->setToolTip(autoencoder);
    const QSignalBlocker quiet(m_k);
    m_k->setEnabled(k > 0);
    m_k->setRange(k > 0 ? 1 : 0, static_cast<int>(std::min<std::int64_t>(mostK, 1'000'000)));
    m_k->setValue(static_cast<int>(k));
}

void EncoderSettings::setTrainReason(const QString& reason)
{
    m_train->setEnabled(reason.isEmpty());
    m_train->setToolTip(reason.isEmpty() ? tr("Trains this method on the tokens it is fitted to; what it finds is shown when it is done") : tr("Not now: %1").arg(reason));
}

} // namespace tamis::views
