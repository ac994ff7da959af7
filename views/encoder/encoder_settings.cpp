// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_settings.h"

#include "views/common/ink.h"
#include "views/encoder/reader_switches.h"
#include "views/encoder/token_source_box.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

EncoderSettings::EncoderSettings(QWidget* parent)
    : MethodForm({.method = QStringLiteral("encoderMethod"),
                  .reference = QStringLiteral("encoderReference"),
                  .parameters = QStringLiteral("encoderParameters"),
                  .train = QStringLiteral("trainEncoder"),
                  .trainHelp = tr("Trains this method on the tokens it is fitted to; what it finds is shown when it is done")},
                 parent)
{
    setObjectName(QStringLiteral("encoderSettings"));
    buildSources();
    addMethod();
    column()->addStretch(1);
    setSources({}, 0, 0);
}

QLabel* EncoderSettings::source(const QString& title, const QString& name, const QString& help, QPushButton*& choose)
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
    column()->addLayout(row);
    column()->addWidget(text);
    return text;
}

void EncoderSettings::buildSources()
{
    m_autoencoder = source(tr("Autoencoder"), QStringLiteral("encoderAutoencoder"), tr("A directory with a sparse autoencoder, or its weight file"), m_openAutoencoder);
    m_switches = new ReaderSwitches(this);
    column()->addWidget(m_switches);
    m_tokens = new TokenSourceBox(this);
    column()->addWidget(m_tokens);
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
    column()->addLayout(row);
    connect(m_openAutoencoder, &QPushButton::clicked, this, &EncoderSettings::autoencoderRequested);
    connect(m_k, &QSpinBox::valueChanged, this, [this](int k) { emit kEdited(k); });
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

} // namespace tamis::views
